"""What environment files of every kind look like."""

from pathlib import Path

SHA, MD5 = "ab" * 32, "cd" * 16
URL = "https://conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-py312h_0.conda"

ENVIRONMENT = """\
name: lab
channels: [conda-forge]
dependencies:
  - python=3.12
  - conda-forge::numpy >=1.26,<2  # why
  - pip
  - pip:
      - some-wheel==1.0
"""
ENV_EXPORT = """\
name: lab
channels: [conda-forge]
dependencies:
  - numpy=1.26.4=py312h_0
  - conda-forge::tzdata=2024a=h0c530f3_0
  - pip:
      - some-wheel==1.0
prefix: /opt/lab
"""
CONDA_LOCK = f"""\
version: 1
metadata:
  content_hash: {{linux-64: {SHA}}}
  channels: [{{url: conda-forge, used_env_vars: []}}]
package:
- name: numpy
  version: 1.26.4
  manager: conda
  platform: linux-64
  dependencies: {{python: '>=3.12'}}
  url: {URL}
  hash: {{md5: {MD5}, sha256: {SHA}}}
  category: main
  optional: false
- name: wheelish
  version: '1.0'
  manager: pip
  platform: linux-64
  url: https://files.pythonhosted.org/wheelish-1.0.conda
  hash: {{sha256: {SHA}}}
"""
PIXI_LOCK = f"""\
version: 6
environments:
  default:
    channels: [{{url: https://conda.anaconda.org/conda-forge/}}]
    packages:
      linux-64:
      - conda: {URL}
packages:
- conda: {URL}
  sha256: {SHA}
  md5: {MD5}
  depends: [python >=3.12]
- conda: .
  name: own
- pypi: https://files.pythonhosted.org/wheelish-1.0-py3-none-any.whl
  sha256: {SHA}
"""
OLD_PIXI_LOCK = f"""\
version: 4
packages:
- kind: conda
  name: numpy
  url: {URL}
  sha256: {SHA}
  md5: {MD5}
- kind: pypi
  name: wheelish
  url: https://files.pythonhosted.org/wheelish-1.0-py3-none-any.whl
"""
EXPLICIT = f"""\
# This file may be used to create an environment using:
# $ conda create --name <env> --file <this file>
# platform: linux-64
@EXPLICIT
{URL}#{MD5}
https://repo.anaconda.com/pkgs/main/noarch/tzdata-2024a-h_0.tar.bz2
"""
LIST_EXPORT = """\
# This file may be used to create an environment using:
# platform: linux-64
numpy=1.26.4=py312h_0
tzdata=2024a=h0c530f3_0
wheelish=1.0=pypi_0
"""


def write(folder: Path, name: str, text: str | bytes) -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)
