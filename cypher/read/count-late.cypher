// Events taken in although the ledger had them already: of jobs still marked, and of those forgotten.
// columns: n
CALL () { MATCH (j:_Job) WHERE j.late > 0 RETURN sum(j.late) AS marked }
CALL () { MATCH (c:_Counter) RETURN sum(c.late) AS forgotten }
RETURN marked + forgotten AS n
