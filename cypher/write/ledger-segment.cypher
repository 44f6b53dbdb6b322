// All else of a batch's events as text, with a summary by which lists skip what cannot match.
// params: $segment {id, …}
CREATE (s:_Segment)
SET s = $segment
