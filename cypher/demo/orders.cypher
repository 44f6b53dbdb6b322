// Every order with all that hangs on it, to be compared with the files one by one. Money in cents.
// columns: id, customer, at, status, totalMinor, lines, linesMinor, units, paidMinor, shipments
MATCH (o:Order)
CALL (o) { OPTIONAL MATCH (o)-[l:CONTAINS]->(:Product) RETURN count(l) AS lines, sum(l.totalMinor) AS linesMinor, sum(l.quantity) AS units }
CALL (o) { OPTIONAL MATCH (o)<-[:PAYS]-(p:Payment) RETURN sum(p.amountMinor) AS paidMinor }
RETURN o.id AS id, head([(c:Customer)-[:PLACED]->(o) | c.id]) AS customer, o.createdAt AS at, o.status AS status, o.totalMinor AS totalMinor,
  lines, linesMinor, units, paidMinor, COUNT { (o)<-[:FULFILLS]-(:Fulfillment) } AS shipments
