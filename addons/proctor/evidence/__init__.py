"""Proof that the record is whole: keys, checkpoints, the ledger of its files, who checks them."""
