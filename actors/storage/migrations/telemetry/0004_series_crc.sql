-- The checksum of a series' id and labels; NULL is of an older version and is made at the next start.
ALTER TABLE series ADD COLUMN crc INTEGER;
