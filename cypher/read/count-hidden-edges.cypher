// How many edges are remembered without being visible; answered from the count store, asked after the locks.
// columns: hidden
MATCH (h:_Edge)
RETURN count(h) AS hidden
