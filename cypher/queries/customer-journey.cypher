// One customer's journey: visits, orders, payments, shipments and refunds in the order of time.
// $customer text: the customer's id
// $source text = null: the source that knows it by this id
// $limit integer = 500: at most so many rows
// columns: at, step, source, id, status, amountMinor, currency, detail
MATCH (c:Customer {id: $customer})
WHERE $source IS NULL OR c.source = $source
CALL (c) {
  MATCH (c)-[:PLACED]->(o:Order)
  RETURN o.createdAt AS at, 'ordered' AS step, o.source AS source, o.id AS id, o.status AS status, o.totalMinor AS amountMinor, o.currency AS currency,
    toString(COUNT { (o)-[:CONTAINS]->() }) + ' lines' AS detail
  UNION ALL
  MATCH (c)-[:PLACED]->(o:Order)<-[:PAYS]-(p:Payment)
  RETURN p.createdAt AS at, 'paid' AS step, p.source AS source, p.id AS id, p.status AS status, p.amountMinor AS amountMinor, p.currency AS currency, p.method AS detail
  UNION ALL
  MATCH (c)-[:PLACED]->(o:Order)<-[:FULFILLS]-(f:Fulfillment)
  RETURN f.createdAt AS at, CASE WHEN f.status IN ['cancelled', 'error', 'failure'] THEN 'not shipped' ELSE 'shipped' END AS step, f.source AS source, f.id AS id, f.status AS status, null AS amountMinor, null AS currency, f.carrier AS detail
  UNION ALL
  MATCH (c)-[:PLACED]->(o:Order)<-[:REFUNDS]-(r:Refund)
  RETURN r.createdAt AS at, 'refunded' AS step, r.source AS source, r.id AS id, null AS status, r.amountMinor AS amountMinor, r.currency AS currency, r.reason AS detail
  UNION ALL
  MATCH (c)-[:HAS_SESSION]->(s:Session)
  RETURN s.startedAt AS at, 'visited' AS step, s.source AS source, s.id AS id, null AS status, null AS amountMinor, null AS currency,
    toString(COUNT { (s)-[:VIEWED]->() }) + ' pages' AS detail
}
RETURN at, step, source, id, status, amountMinor, currency, detail
ORDER BY at, step, source, id
LIMIT $limit
