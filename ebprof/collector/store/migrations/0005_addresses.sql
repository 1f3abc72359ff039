-- What 0004 has copied, and was done with.
DROP TABLE IF EXISTS addresses;
