// Events in one exceptional state, the last applied first.
// params: $state, $segment and $position to begin before, $limit
// columns: key, segment, position, state, error
MATCH (e:_Event {state: $state})
WHERE e.segment < $segment OR (e.segment = $segment AND e.position < $position)
WITH e ORDER BY e.segment DESC, e.position DESC LIMIT $limit
RETURN e.key AS key, e.segment AS segment, e.position AS position, e.state AS state, e.error AS error
