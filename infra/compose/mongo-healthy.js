// Healthy: the primary of its set, or a member of a set that mongo-init has not begun yet.
const found = db.hello();
quit(found.isWritablePrimary || found.isreplicaset ? 0 : 1);
