import { Neo4jError } from 'neo4j-driver';
import { describe, expect, test } from 'vitest';

import { IngestError } from '../../../src/errors.ts';
import { explainFailure } from '../../../src/graph/driver.ts';

const said = (code: string, message = 'said so'): Neo4jError => new Neo4jError(message, code, '50N42', 'general');

describe('what a failure of the database means', () => {
  test.each([
    ['a deadlock is tried again at once', 'Neo.TransientError.Transaction.DeadlockDetected', 'GRAPH_CONFLICT'],
    ['so is an entity that vanished', 'Neo.ClientError.Statement.EntityNotFound', 'GRAPH_CONFLICT'],
    ['a value that a type refuses is the write’s own fault', 'Neo.ClientError.Statement.TypeError', 'WRITE_REFUSED'],
    ['so is one out of range', 'Neo.ClientError.Statement.ArgumentError', 'WRITE_REFUSED'],
    ['so is one that cannot be reckoned with', 'Neo.ClientError.Statement.ArithmeticError', 'WRITE_REFUSED'],
    ['so is a key too long for its index', 'Neo.DatabaseError.Statement.ExecutionFailed', 'WRITE_REFUSED'],
    ['a syntax error is no event’s fault', 'Neo.ClientError.Statement.SyntaxError', 'GRAPH_REFUSED'],
    ['nor is what else is wrong with our text', 'Neo.ClientError.Statement.SemanticError', 'GRAPH_REFUSED'],
    ['nor is a parameter that we forgot', 'Neo.ClientError.Statement.ParameterMissing', 'GRAPH_REFUSED'],
    ['nor is an index that is not there', 'Neo.ClientError.Schema.IndexNotFound', 'GRAPH_REFUSED'],
    ['nor is a procedure that this Neo4j lacks', 'Neo.ClientError.Procedure.ProcedureNotFound', 'GRAPH_REFUSED'],
    ['nor is what we may not do', 'Neo.ClientError.Security.Forbidden', 'GRAPH_REFUSED'],
    ['nor is a code of these families that is new to us', 'Neo.ClientError.Statement.NewIn2030', 'GRAPH_REFUSED'],
    ['a transaction too large is halved', 'Neo.TransientError.General.TransactionOutOfMemoryError', 'GRAPH_OUT_OF_MEMORY'],
    ['so is one that finds the memory of all taken', 'Neo.TransientError.General.MemoryPoolOutOfMemoryError', 'GRAPH_OUT_OF_MEMORY'],
    ['a lock that is waited for too long is halved', 'Neo.ClientError.Transaction.LockAcquisitionTimeout', 'GRAPH_TIMEOUT'],
    ['so it is where Neo4j calls it transient', 'Neo.TransientError.Transaction.LockAcquisitionTimeout', 'GRAPH_TIMEOUT'],
    ['a lost connection is waited out', 'ServiceUnavailable', 'GRAPH_UNAVAILABLE'],
    ['so is an expired session', 'SessionExpired', 'GRAPH_UNAVAILABLE'],
    ['so is a wrong password', 'Neo.ClientError.Security.Unauthorized', 'GRAPH_UNAVAILABLE'],
    ['so is a database that is not there yet', 'Neo.ClientError.Database.DatabaseNotFound', 'GRAPH_UNAVAILABLE'],
    ['so is a full disk', 'Neo.TransientError.General.DatabaseUnavailable', 'GRAPH_UNAVAILABLE'],
    ['a transaction that the server ended took too long', 'Neo.ClientError.Transaction.TransactionTimedOut', 'GRAPH_TIMEOUT'],
  ])('%s', (_, code, expected) => {
    expect(explainFailure(said(code))).toMatchObject({ code: expected, context: { code } });
  });

  test('a constraint on our own rows is a race of two workers; on anybody else’s it is the event’s fault', () => {
    const violated = 'Neo.ClientError.Schema.ConstraintValidationFailed';
    expect(explainFailure(said(violated, 'Node(1) already exists with label `_Event` and property `key`')).code).toBe('GRAPH_CONFLICT');
    expect(explainFailure(said(violated, 'Node(1) already exists with label `Order` and property `name`')).code).toBe('WRITE_REFUSED');
  });

  test('what is ours already stays as it is, and what the driver does not know is an outage', () => {
    const own = new IngestError('BAD_VALUE', 'no');
    expect(explainFailure(own)).toBe(own);
    expect(explainFailure(new Error('read ECONNRESET'))).toMatchObject({
      code: 'GRAPH_UNAVAILABLE',
      message: 'Neo4j did not answer: read ECONNRESET',
    });
  });
});
