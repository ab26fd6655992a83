DROP TABLE index_exports;
