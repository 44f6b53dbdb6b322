// Bought together: pairs of products that are in the same orders most often.
// $product text = null: only pairs with the product of this id
// $minOrders integer = 2: pairs in at least so many orders
// $limit integer = 20: at most so many rows
// columns: source, product, title, otherProduct, otherTitle, orders
MATCH (o:Order)
WHERE coalesce(o.status, '') <> 'cancelled' AND ($product IS NULL OR EXISTS { (o)-[:CONTAINS]->(:Product {id: $product}) })
CALL (o) {
  MATCH (o)-[:CONTAINS]->(p:Product)
  WITH DISTINCT p
  ORDER BY p.id <> $product, p.id, p.source
  RETURN collect(p) AS products
}
UNWIND range(0, size(products) - 2) AS i
WITH products[i] AS a, products[i + 1 ..] AS others
WHERE $product IS NULL OR a.id = $product
UNWIND others AS b
WITH a, b, count(*) AS orders
WHERE orders >= $minOrders
RETURN a.source AS source, a.id AS product, a.title AS title, b.id AS otherProduct, b.title AS otherTitle, orders
ORDER BY orders DESC, source, product, otherProduct
LIMIT $limit
