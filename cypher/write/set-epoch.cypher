// params: $epoch
MERGE (m:_Meta {id: 'meta'})
SET m.epoch = $epoch
