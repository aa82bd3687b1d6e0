# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
