-- Contracts: leases stand in a table of their own since 0002, and no gateway of 0.2.0 or newer looks for them here.
-- An older one would, so it may serve this schema no more.

ALTER TABLE cursor DROP COLUMN lease_owner;
ALTER TABLE cursor DROP COLUMN lease_until;
ALTER TABLE cursor DROP COLUMN fence;
UPDATE compatibility SET min_binary = '0.2.0';
