// Refunds by product: of the orders with a product, how many were refunded, wholly or in part.
// $minOrders integer = 1: products in at least so many orders
// $limit integer = 50: at most so many rows
// columns: source, product, title, orders, refundedOrders, refundRate
MATCH (p:Product)<-[:CONTAINS]-(o:Order)
WITH p, collect(DISTINCT o) AS orders
WITH p, size(orders) AS orders, size([o IN orders WHERE EXISTS { (o)<-[:REFUNDS]-() }]) AS refundedOrders
WHERE refundedOrders > 0 AND orders >= $minOrders
RETURN p.source AS source, p.id AS product, p.title AS title, orders, refundedOrders, toFloat(refundedOrders) / orders AS refundRate
ORDER BY refundedOrders DESC, refundRate DESC, source, product
LIMIT $limit
