// Events that a hidden edge still waits with.
// columns: n
MATCH (h:_Edge)
WHERE h.waiting = true
UNWIND h.events AS name
RETURN count(DISTINCT name) AS n
