// Best customers: who bought for the most money, by currency. Cancelled orders do not count.
// $currency text = null: only this currency
// $source text = null: only this source
// $limit integer = 10: at most so many of each currency
// columns: source, customer, email, currency, orders, revenueMinor
MATCH (c:Customer)-[:PLACED]->(o:Order)
WHERE o.totalMinor IS NOT NULL AND coalesce(o.status, '') <> 'cancelled'
  AND ($currency IS NULL OR o.currency = $currency) AND ($source IS NULL OR c.source = $source)
WITH c, o.currency AS currency, count(o) AS orders, sum(o.totalMinor) AS revenueMinor
ORDER BY revenueMinor DESC, c.source, c.id
WITH currency, collect({c: c, orders: orders, revenueMinor: revenueMinor})[..$limit] AS best
UNWIND best AS one
RETURN one.c.source AS source, one.c.id AS customer, one.c.email AS email, currency, one.orders AS orders, one.revenueMinor AS revenueMinor
ORDER BY currency, revenueMinor DESC, source, customer
