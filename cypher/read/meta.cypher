// What the graph knows of itself: the life of Redis that it was fed from, and when it last changed.
// columns: epoch, lastAppliedAt (milliseconds since the epoch)
OPTIONAL MATCH (m:_Meta {id: 'meta'})
OPTIONAL MATCH (s:_Segment)
WITH m, s ORDER BY s.id DESC LIMIT 1
RETURN m.epoch AS epoch, s.appliedAt AS lastAppliedAt
