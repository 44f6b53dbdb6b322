// Of a source's oldest segments, how many hold nothing that its present mapping said: old ones are where an old mapping shows.
// params: $source, $mapping version as it stands in meta, quoted, $limit
// columns: segments, older
MATCH (s:_Segment)
WHERE $source IN s.sources
WITH s ORDER BY s.id LIMIT $limit
RETURN count(*) AS segments, count(CASE WHEN NOT s.meta CONTAINS $mapping THEN 1 END) AS older
