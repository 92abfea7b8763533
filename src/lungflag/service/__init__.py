"""The service: DICOM objects in, coded findings out, and nothing lost in between.

::

    C-STORE | STOW-RS | watch folder -> Intake -> Spool (objects) + Ledger (rows)
    Ledger -> worker -> Outcome -> results -> deliveries -> C-STORE | STOW-RS | FHIR | files

An object is acknowledged after its file is on the disk and its row is committed. Everything after
that is leased work, which comes back where a process dies.
"""
