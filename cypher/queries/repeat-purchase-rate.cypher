// Repeat purchase rate: of the customers who bought, how many bought again, by source.
// columns: source, customers, repeatCustomers, repeatRate, ordersPerCustomer
MATCH (c:Customer)-[:PLACED]->(o:Order)
WHERE coalesce(o.status, '') <> 'cancelled'
WITH c, count(o) AS orders
WITH c.source AS source, count(c) AS customers, sum(CASE WHEN orders > 1 THEN 1 ELSE 0 END) AS repeatCustomers, sum(orders) AS orders
RETURN source, customers, repeatCustomers, toFloat(repeatCustomers) / customers AS repeatRate, toFloat(orders) / customers AS ordersPerCustomer
ORDER BY source
