// What became of the events of segments that this transaction wrote.
// params: $rows [[segment id, {states, applied, superseded, ignored}]]
UNWIND $rows AS r
MATCH (s:_Segment {id: r[0]})
SET s += r[1]
