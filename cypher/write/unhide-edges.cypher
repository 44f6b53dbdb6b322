// params: $rows [edge key]
UNWIND $rows AS key
MATCH (h:_Edge {key: key})
DELETE h
