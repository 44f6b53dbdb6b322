// Revenue by month, in UTC, and currency, with what was refunded of it in that currency. Cancelled orders do not count.
// $source text = null: only this source
// columns: month, currency, orders, revenueMinor, refundedMinor, averageMinor
MATCH (o:Order)
WHERE o.createdAt IS NOT NULL AND o.totalMinor IS NOT NULL AND coalesce(o.status, '') <> 'cancelled' AND ($source IS NULL OR o.source = $source)
OPTIONAL MATCH (o)<-[:REFUNDS]-(r:Refund)
WHERE r.currency = o.currency OR r.currency IS NULL OR o.currency IS NULL
WITH o, coalesce(sum(r.amountMinor), 0) AS refunded
RETURN left(toString(date(o.createdAt)), 7) AS month, o.currency AS currency, count(o) AS orders, sum(o.totalMinor) AS revenueMinor, sum(refunded) AS refundedMinor,
  toInteger(round(avg(o.totalMinor))) AS averageMinor
ORDER BY month, currency
