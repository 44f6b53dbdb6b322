// Marks jobs as settled in the transaction of their effects, so that a job that is done again is known; `late`: how many of its events the ledger had already, null for none.
// params: $rows [[id, late, settledAt]]
UNWIND $rows AS r
CREATE (j:_Job {id: r[0], late: r[1], settledAt: r[2]})
