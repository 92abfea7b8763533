-- Orthanc's auto-route rule: every chest radiograph that arrives is sent on to lungflag.
-- Name this file in LuaScripts, and lungflag in DicomModalities (see orthanc.json beside it).

local PEER = 'lungflag'
local WANTED = { CR = true, DX = true }

function OnStoredInstance(instance, tags, metadata, origin)
  -- What comes back from lungflag has another modality (SR, OT), so that nothing goes in circles.
  if WANTED[tags['Modality']] and origin['RequestOrigin'] ~= 'Lua' then
    SendToModality(instance, PEER)
  end
end
