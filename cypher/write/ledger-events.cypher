// One slim row an event: its identity, and where its segment keeps the rest.
// params: $segments [[segment id, [key], first halves of their body hashes, comma-separated]]
UNWIND $segments AS s
WITH s, split(s[2], ',') AS hashes
UNWIND range(0, size(hashes) - 1) AS i
CREATE (:_Event {key: s[1][i], hash: hashes[i], segment: s[0], position: i})
