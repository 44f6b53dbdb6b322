// How many events are in each state: what segments say of regular ones, and what events say of themselves.
// columns: state, n
MATCH (s:_Segment)
WITH sum(s.applied) AS applied, sum(s.superseded) AS superseded, sum(s.ignored) AS ignored
UNWIND [['applied', applied], ['superseded', superseded], ['ignored', ignored]] AS row
RETURN row[0] AS state, row[1] AS n
UNION ALL
MATCH (e:_Event)
WHERE e.state IS NOT NULL
RETURN e.state AS state, count(*) AS n
