// From order to fulfillment: hours until the first shipment, by source. One that was cancelled or failed is none.
// $since time = null: orders made at or after
// columns: source, orders, medianHours, p90Hours, slowestHours
MATCH (o:Order)<-[:FULFILLS]-(f:Fulfillment)
WHERE o.createdAt IS NOT NULL AND f.createdAt IS NOT NULL AND NOT coalesce(f.status, '') IN ['cancelled', 'error', 'failure']
  AND ($since IS NULL OR o.createdAt >= $since)
WITH o, min(f.createdAt) AS shippedAt
WITH o.source AS source, duration.inSeconds(o.createdAt, shippedAt).seconds / 3600.0 AS hours
RETURN source, count(*) AS orders, percentileCont(hours, 0.5) AS medianHours, percentileCont(hours, 0.9) AS p90Hours, max(hours) AS slowestHours
ORDER BY source
