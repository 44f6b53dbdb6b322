// The rows of some events within the text of their segments, each cut off after so many characters.
// params: $rows [[segment id, how the row begins, position]], $chars
// columns: i, appliedAt, rest, digit (of the state), in the order of the rows
UNWIND range(0, size($rows) - 1) AS i
MATCH (s:_Segment {id: $rows[i][0]})
RETURN i, s.appliedAt AS appliedAt, left(split(s.meta, $rows[i][1])[1], $chars) AS rest, substring(s.states, $rows[i][2], 1) AS digit
ORDER BY i
