// Events that a hidden edge still waits with, the last applied first.
// params: $segment and $position to begin before, $limit
// columns: key, segment, position, state, error
MATCH (h:_Edge)
WHERE h.waiting = true
UNWIND h.events AS name
WITH DISTINCT name
WITH left(name, size(name) - 65) AS key, right(name, 64) AS hash
MATCH (e:_Event)
WHERE e.key IN [key, key + '~' + left(hash, 16)] AND e.hash = left(hash, 32)
  AND (e.segment < $segment OR (e.segment = $segment AND e.position < $position))
WITH DISTINCT e ORDER BY e.segment DESC, e.position DESC LIMIT $limit
RETURN e.key AS key, e.segment AS segment, e.position AS position, e.state AS state, e.error AS error
