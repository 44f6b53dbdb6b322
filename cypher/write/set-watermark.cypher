// Keeps the newest few: workers that start at once must not take each other's for a restored backup.
// params: $watermark, $keep
MERGE (m:_Meta {id: 'meta'})
SET m.watermarks = ([$watermark] + coalesce(m.watermarks, []))[..$keep]
