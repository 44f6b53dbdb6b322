// params: $rows [node key]
UNWIND $rows AS key
MATCH (h:_Node {key: key})
DELETE h
