// Bought together: pairs of products that are in the same orders most often.
// $product text = null: only pairs with the product of this id
// $minOrders integer = 2: pairs in at least so many orders
// $limit integer = 20: at most so many rows
// columns: source, product, title, otherProduct, otherTitle, orders
MATCH (a:Product)<-[:CONTAINS]-(o:Order)-[:CONTAINS]->(b:Product)
WHERE a <> b AND coalesce(o.status, '') <> 'cancelled'
  AND CASE WHEN $product IS NULL THEN a.id < b.id OR (a.id = b.id AND a.source < b.source) ELSE a.id = $product END
WITH a, b, count(DISTINCT o) AS orders
WHERE orders >= $minOrders
RETURN a.source AS source, a.id AS product, a.title AS title, b.id AS otherProduct, b.title AS otherTitle, orders
ORDER BY orders DESC, source, product, otherProduct
LIMIT $limit
