// One person, several sources: customers known by one e-mail address in more than one source.
// $limit integer = 100: at most so many rows
// columns: address, sources, customers, orders
MATCH (e:Email)<-[:HAS_EMAIL]-(c:Customer)
WITH e, c ORDER BY c.source, c.id
WITH e, collect(DISTINCT c.source) AS sources, collect(c.source + '/' + c.id) AS customers, sum(COUNT { (c)-[:PLACED]->(:Order) }) AS orders
WHERE size(sources) > 1
RETURN e.address AS address, sources, customers, orders
ORDER BY orders DESC, address
LIMIT $limit
