// Healthy: the primary of its set, or a member of a set that mongo-init has not begun yet. Not the server without a set that the image
// starts for itself at first: nobody reaches that one.
const found = db.hello();
quit((found.setName && found.isWritablePrimary) || found.isreplicaset ? 0 : 1);
