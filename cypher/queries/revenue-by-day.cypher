// Revenue by day, in UTC, by currency. Cancelled orders do not count.
// $since time = null: orders made at or after
// $until time = null: orders made before
// $currency text = null: only this currency
// columns: day, currency, orders, revenueMinor
MATCH (o:Order)
WHERE o.createdAt IS NOT NULL AND o.totalMinor IS NOT NULL AND coalesce(o.status, '') <> 'cancelled'
  AND ($since IS NULL OR o.createdAt >= $since) AND ($until IS NULL OR o.createdAt < $until) AND ($currency IS NULL OR o.currency = $currency)
RETURN toString(date(o.createdAt)) AS day, o.currency AS currency, count(o) AS orders, sum(o.totalMinor) AS revenueMinor
ORDER BY day, currency
