"""What each public data set is: publisher, place, terms, citation, files, traps; refuses names it does not list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import RecordingError

__all__ = ["DATA_SETS", "DataSet", "data_set_named"]


@dataclass(frozen=True)
class DataSet:
    """One public data set.

    Attributes
    ----------
    name : str
        What `raceway data import` calls it.
    folder : str
        Name of its folder of packs in the data folder.
    title, publisher, url : str
        What it is, who publishes it and where it is obtained.
    terms : str
        What is known of the terms of use; no legal advice.
    citation : str
    files : str
        What the publisher distributes and the import reads.
    records : str
        What a pack holds, for counts: ``65 of 65 records``.
    n_packs : int
        Packs of a complete import, without what is optional.
    traps : tuple of str
        What makes figures wrong without an error.
    """

    name: str
    folder: str
    title: str
    publisher: str
    url: str
    terms: str
    citation: str
    files: str
    records: str
    n_packs: int
    traps: tuple[str, ...]

    @property
    def import_command(self) -> str:
        """The command that makes its packs.

        Examples
        --------
        >>> data_set_named("cwru").import_command
        'raceway data import cwru SOURCE_DIR'
        """
        return f"raceway data import {self.name} SOURCE_DIR"

    @property
    def advice(self) -> str:
        """Where to get it and what to do, as the end of an error message."""
        return f"or get it from {self.publisher} ({self.url}) and run `{self.import_command}`"

    def packs_in(self, root: Path) -> tuple[Path, ...]:
        """List its packs in a data folder, by name; none where the folder is missing."""
        return tuple(sorted((root / self.folder).glob("*.npz")))


DATA_SETS = (
    DataSet(
        name="cwru",
        folder="cwru",
        title="Motor bearings with seeded faults and healthy ones, 12 kHz, four loads",
        publisher="Case Western Reserve University, Bearing Data Center",
        url="https://engineering.case.edu/bearingdatacenter",
        terms="offered for free download; no licence text",
        citation="Cite the Data Center; W. A. Smith, R. B. Randall, Mech. Syst. Signal Process. 64-65 (2015) 100-131",
        files="MATLAB files of the 12 kHz drive-end faults and the normal baseline (97.mat, 105.mat, ...)",
        records="records",
        n_packs=65,
        traps=(
            "The normal baseline was sampled at 48 kHz, the faults at 12 kHz: the import decimates it by 4 and refuses "
            "a copy that is decimated already. Its filter is still another one than that of the faults.",
            "One physical bearing for each fault type and size: splits by window or load share the bearing.",
            "The healthy records at 12 kHz carry the nominal speed, and only record 97 is kept at 48 kHz, as in the "
            "packs that the figures were measured on.",
        ),
    ),
    DataSet(
        name="cmapss",
        folder="cmapss",
        title="Simulated turbofans from the first flight to the failure, FD001 to FD004",
        publisher="NASA Ames Prognostics Center of Excellence",
        url="https://www.nasa.gov/intelligent-systems-division/discovery-and-systems-health/pcoe/"
        "pcoe-data-set-repository/",
        terms="public data of a US agency; no licence text",
        citation="A. Saxena, K. Goebel, D. Simon, N. Eklund, Damage Propagation Modeling, Proc. PHM08, Denver, 2008",
        files="train_FD001.txt, test_FD001.txt, RUL_FD001.txt and the same of FD002 to FD004",
        records="subsets",
        n_packs=4,
        traps=(
            "Simulated by the publisher, not measured.",
            "The publisher's readme swaps the unit counts of FD004.",
            "FD002 and FD004 have six operating conditions: normalise each for itself.",
        ),
    ),
    DataSet(
        name="femto",
        folder="femto",
        title="Bearings run to failure, 0.1 s every 10 s at 25.6 kHz",
        publisher="FEMTO-ST Institute, Besancon (IEEE PHM 2012 challenge)",
        url="https://www.nasa.gov/intelligent-systems-division/discovery-and-systems-health/pcoe/"
        "pcoe-data-set-repository/",
        terms="made publicly available; publications are asked to cite; no licence named",
        citation="P. Nectoux et al., PRONOSTIA: An Experimental Platform for Bearings Accelerated Life Test, "
        "IEEE Int. Conf. on Prognostics and Health Management, Denver, 2012",
        files="Learning_set/Bearing1_1/acc_00001.csv ...; Full_Test_Set or Test_set too where they are there",
        records="bearings",
        n_packs=6,
        traps=(
            "20 g are passed long before the end in some tests: the end of the test is the life.",
            "Of Bearing1_1 and Bearing3_2 every second snapshot is kept, as in the packs that the figures were "
            "measured on.",
            "Test_set is cut short before the end of life; its remaining lives come from the published number of "
            "snapshots in Full_Test_Set.",
        ),
    ),
    DataSet(
        name="gearbox",
        folder="gearbox_spectraquest",
        title="A gearbox, healthy and with a broken tooth, ten loads, four sensors",
        publisher="Y. Pandya, Open Energy Data Initiative (US Department of Energy), submission 623",
        url="https://data.openei.org/submissions/623",
        terms="public on OEDI, CC BY 4.0 to our knowledge; check before redistributing",
        citation="Y. Pandya, Gearbox Fault Diagnosis Data, Open Energy Data Initiative, submission 623",
        files="h30hz0.txt ... h30hz90.txt, b30hz0.txt ... b30hz90.txt (or .csv), four columns",
        records="records",
        n_packs=20,
        traps=(
            "The publisher states neither sampling rate nor unit: samples without a time axis.",
            "One healthy and one broken gearbox: every split shares the machine. The healthy one vibrates more on a1.",
        ),
    ),
)


def data_set_named(name: str) -> DataSet:
    """Look up a data set by what the command line calls it.

    Raises
    ------
    RecordingError
        If there is none of this name.
    """
    for data_set in DATA_SETS:
        if data_set.name == name:
            return data_set
    raise RecordingError(f"no data set {name!r}; one of {', '.join(d.name for d in DATA_SETS)} is wanted")
