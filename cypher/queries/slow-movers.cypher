// Slow movers: products never bought, or the least. Deleted products and cancelled orders do not count.
// $since time = null: count what was bought at or after
// $maxSold integer = 0: products of which at most so many were bought
// $limit integer = 100: at most so many rows
// columns: source, product, title, sold, lastBoughtAt
MATCH (p:Product)
WHERE coalesce(p.status, '') <> 'deleted'
OPTIONAL MATCH (p)<-[line:CONTAINS]-(o:Order)
WHERE coalesce(o.status, '') <> 'cancelled' AND ($since IS NULL OR o.createdAt >= $since)
WITH p, sum(CASE WHEN o IS NULL THEN 0 ELSE coalesce(line.quantity, 1) END) AS sold, max(o.createdAt) AS lastBoughtAt
WHERE sold <= $maxSold
RETURN p.source AS source, p.id AS product, p.title AS title, sold, lastBoughtAt
ORDER BY sold, source, product
LIMIT $limit
