// What an accountant would add up, from the orders and again from their lines. Money in cents.
// columns: orders, customers, products, lines, units, zeroQuantityLines, zeroValueLines, revenueOfOrders, revenueOfLines, paid, firstAt, lastAt
CALL () { MATCH (o:Order) RETURN count(o) AS orders, sum(o.totalMinor) AS revenueOfOrders, min(o.createdAt) AS firstAt, max(o.createdAt) AS lastAt }
CALL () { MATCH (c:Customer) RETURN count(c) AS customers }
CALL () { MATCH (p:Product) RETURN count(p) AS products }
CALL () {
  MATCH (:Order)-[l:CONTAINS]->(:Product)
  RETURN count(l) AS lines, sum(l.totalMinor) AS revenueOfLines, sum(l.quantity) AS units,
    sum(CASE l.quantity WHEN 0 THEN 1 ELSE 0 END) AS zeroQuantityLines, sum(CASE l.totalMinor WHEN 0 THEN 1 ELSE 0 END) AS zeroValueLines
}
CALL () { MATCH (p:Payment)-[:PAYS]->(:Order) RETURN sum(p.amountMinor) AS paid }
RETURN orders, customers, products, lines, units, zeroQuantityLines, zeroValueLines, revenueOfOrders, revenueOfLines, paid, firstAt, lastAt
