// Unpaid orders: not paid so many hours after they were made, oldest first.
// $hours integer = 24: older than this
// $asOf time = null: as seen at this time; default now
// $limit integer = 100: at most so many rows
// columns: source, order, name, customer, createdAt, status, payments, currency, totalMinor
WITH coalesce($asOf, datetime()) - duration({hours: $hours}) AS latest
MATCH (o:Order)
WHERE o.createdAt < latest AND NOT coalesce(o.status, 'pending') IN ['paid', 'fulfilled', 'cancelled', 'refunded']
  AND NOT coalesce(o.financialStatus, '') IN ['paid', 'refunded', 'voided']
OPTIONAL MATCH (c:Customer)-[:PLACED]->(o)
RETURN o.source AS source, o.id AS order, o.name AS name, c.id AS customer, o.createdAt AS createdAt, coalesce(o.status, 'pending') AS status,
  [(o)<-[:PAYS]-(p:Payment) | p.status] AS payments, o.currency AS currency, o.totalMinor AS totalMinor
ORDER BY createdAt, source, order
LIMIT $limit
