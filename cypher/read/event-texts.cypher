// The rows of some events within the text of their segments, each cut off after so many characters.
// params: $rows [[segment id, how the row begins]], $chars
// columns: appliedAt, rest, in the order of the rows
UNWIND range(0, size($rows) - 1) AS i
MATCH (s:_Segment {id: $rows[i][0]})
RETURN i, s.appliedAt AS appliedAt, left(split(s.meta, $rows[i][1])[1], $chars) AS rest
ORDER BY i
