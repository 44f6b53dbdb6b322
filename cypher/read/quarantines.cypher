// Events that wait for their time, and those among them that a worker should have released by now.
// params: $due epoch nanoseconds
// columns: waiting, overdue
MATCH (e:_Event {state: 'quarantined'})
RETURN count(*) AS waiting, count(CASE WHEN e.latest <= $due THEN 1 END) AS overdue
