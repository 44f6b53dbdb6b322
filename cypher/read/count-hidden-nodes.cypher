// How many keys without a live node are remembered; answered from the count store, asked after the locks.
// columns: hidden
MATCH (h:_Node)
RETURN count(h) AS hidden
