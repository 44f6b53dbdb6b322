// The five who spent most. Money in cents.
// columns: customer, revenueCents, orders
MATCH (c:Customer)-[:PLACED]->(o:Order)
WITH c, sum(o.totalMinor) AS revenueCents, count(o) AS orders
RETURN c.id AS customer, revenueCents, orders
ORDER BY revenueCents DESC, toInteger(c.id)
LIMIT 5
