// The five of which most units were sold.
// columns: product, units
MATCH (:Order)-[l:CONTAINS]->(p:Product)
WITH p, sum(l.quantity) AS units
RETURN p.id AS product, units
ORDER BY units DESC, toInteger(p.id)
LIMIT 5
