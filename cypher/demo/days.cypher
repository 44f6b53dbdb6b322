// Orders and revenue a day, in UTC, from the orders and again from their lines. Money in cents.
// columns: day, orders, revenueOfOrders, revenueOfLines
MATCH (o:Order)
CALL (o) { OPTIONAL MATCH (o)-[l:CONTAINS]->(:Product) RETURN sum(l.totalMinor) AS ofLines }
RETURN toString(date(o.createdAt)) AS day, count(o) AS orders, sum(o.totalMinor) AS revenueOfOrders, sum(ofLines) AS revenueOfLines
ORDER BY day
