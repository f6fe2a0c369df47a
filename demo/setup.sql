-- As on any server: the extension in a schema of its own, and two roles.
CREATE SCHEMA sync;
CREATE EXTENSION sync_progress SCHEMA sync;

CREATE ROLE app LOGIN;
CREATE ROLE bridge LOGIN;
