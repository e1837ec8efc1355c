-- Reads all leads, so that becoming a partition need not. Reading and writing go on.
ALTER TABLE distribution.leads VALIDATE CONSTRAINT leads_first_until;
