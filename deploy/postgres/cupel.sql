-- the run log has a database of its own: the server beside it keeps its tables' version under the same name
CREATE DATABASE cupel;
