// Begins the replica set, without which there are no change streams, and makes the account of the shop and of the connectors. May be repeated.
const { readFileSync } = require('fs');
const secret = name => readFileSync(`/run/secrets/${name}`, 'utf8').trimEnd();

const at = 'mongo:27017';
const address = `mongodb://root:${encodeURIComponent(secret('mongo_root'))}@${at}/?directConnection=true&authSource=admin`;

function connected() {
  for (let tries = 0; ; tries++) {
    try {
      return new Mongo(address);
    } catch (error) {
      if (tries === 60) throw error;
      sleep(1000);
    }
  }
}

const admin = connected().getDB('admin');

const hello = admin.runCommand({ hello: 1 });
if (!hello.setName) {
  const begun = admin.runCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: at }] } });
  // After a restart it may not have read yet that it is one.
  if (!begun.ok && begun.codeName !== 'AlreadyInitialized') throw new Error(`the replica set does not begin: ${begun.errmsg}`);
  print('the replica set rs0 has begun');
}
for (let tries = 0; !admin.runCommand({ hello: 1 }).isWritablePrimary; tries++) {
  if (tries === 60) throw new Error('no primary after 60 s');
  sleep(1000);
}

// readWrite has change streams; the oplog's length is looked at by `c360 connect validate`.
const account = {
  pwd: secret('mongo_shop'),
  roles: [{ role: 'readWrite', db: 'shop' }, { role: 'read', db: 'local' }],
};
const known = admin.runCommand({ usersInfo: 'c360' }).users.length > 0;
const made = admin.runCommand(known ? { updateUser: 'c360', ...account } : { createUser: 'c360', ...account });
if (!made.ok) throw new Error(`the account c360 is refused: ${made.errmsg}`);
print(known ? 'the account c360 has its password and roles' : 'made the account c360');
