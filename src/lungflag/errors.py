"""The error tree. Catch `LungflagError` to catch everything that lungflag raises.

::

    LungflagError
    ├── InputError               one input, named, cannot be judged
    │   ├── UnreadableError      missing, empty, truncated, or not an image at all
    │   ├── NotARadiographError  decodes well, but is not a radiograph's pixels
    │   └── QualityError         a radiograph, perhaps, but none that the model may judge
    ├── ManifestError            a manifest or data set that breaks its own rules
    ├── FetchError               a download that failed or does not match its checksum
    ├── PackageError             a model package that cannot be used
    │   ├── PackageFormatError   written by a newer lungflag, or not a package
    │   └── PackageTamperedError a file differs from the hash recorded for it
    ├── TrainingError            training cannot start or go on
    ├── BulkError                a bulk run cannot begin, go on, or reach what it needs
    ├── ServiceError             the service cannot do what it was asked
    │   ├── ConfigurationError   a setting is unknown, or its value is not allowed
    │   ├── LedgerError          the database is away, damaged, or of another version
    │   ├── RefusedError         an object that the service may not take
    │   └── SpoolFullError       no room on the disk: nothing was stored
    └── MissingExtraError        an optional part is not installed
"""

from __future__ import annotations


class LungflagError(Exception):
    """Base of every error that lungflag raises."""


class InputError(LungflagError):
    """One input cannot be judged.

    Parameters
    ----------
    source : str
        The file's path, or another name of the input.
    reason : str
        Why it cannot be judged, in one line.
    code : str, optional
        The reason as one word for programs, see `lungflag.outcome.Rejection`; the class's own
        `code` where it is not given.
    """

    code = "unexpected"

    def __init__(self, source: str, reason: str, *, code: str = "") -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
        self.code = code or type(self).code


class UnreadableError(InputError):
    """The input is missing, empty, truncated, or not an image."""

    code = "unreadable"


class NotARadiographError(InputError):
    """The input decodes, but its pixels are not one radiograph's."""

    code = "not-a-radiograph"


class QualityError(InputError):
    """The quality gate or the header says that the model may not judge the input."""


class ManifestError(LungflagError):
    """A manifest or a data set breaks the rules of `lungflag.data`."""


class FetchError(LungflagError):
    """A download failed or does not match its published checksum."""


class PackageError(LungflagError):
    """A model package cannot be used."""


class PackageFormatError(PackageError):
    """The folder is no model package, or a newer lungflag wrote it."""


class PackageTamperedError(PackageError):
    """A file of the package differs from the hash recorded for it."""


class TrainingError(LungflagError):
    """Training cannot start or cannot go on."""


class BulkError(LungflagError):
    """A bulk run cannot begin, go on from its table, or reach storage or cluster."""


class ServiceError(LungflagError):
    """The service cannot do what it was asked."""


class ConfigurationError(ServiceError):
    """A setting is unknown, or its value is not allowed."""


class LedgerError(ServiceError):
    """The ledger's database cannot be reached, is damaged, or has another schema."""


class RefusedError(ServiceError):
    """The service may not take an object. Nothing of it was kept.

    Parameters
    ----------
    code : str
        The reason as one word for programs, see `lungflag.service.intake.CODES`.
    reason : str
        Why, in one line, without patient data.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class SpoolFullError(ServiceError):
    """There is no room on the disk. Nothing was stored, so nothing may be acknowledged."""


class MissingExtraError(LungflagError):
    """An optional part of lungflag is not installed.

    Parameters
    ----------
    feature : str
        What the user asked for.
    extra : str
        The extra that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'lungflag[{extra}]'")
        self.feature = feature
        self.extra = extra
